"""The columns of one trace, and the plan of what a repair changes in it.

Data enters from `chrome`, which fills a `Trace`, and from `repair`, which makes a `Plan`.
It leaves as numpy columns (`Trace`, `Slices`), which `repair`, `merging` and `writing` read.
"""
