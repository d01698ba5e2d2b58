"""Hold a trace of Kineto against an export of Nsight Systems of the same workload.

`reading` takes the kernels of both in the order of launch, `checking.check` matches them and says
which one recording has and the other lacks, and `report` puts it into words.
"""
