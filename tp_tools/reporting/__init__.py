"""`tp-tools report`: what the traces of a job say, on one page that needs no network.

`gather` asks the SQL library, the modules with sections say in words, plots and tables what the
rows mean, and `page` puts them on a page.
"""
