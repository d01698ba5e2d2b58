"""Write a report on the traces of a job: one HTML page that needs no network.

Names of traces enter `data.collect`, which runs the queries of the SQL library on them.
The page leaves `build.html` as text; sections of words, plots and tables are built between them.
"""
