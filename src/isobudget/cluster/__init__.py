"""The same pipeline on the machines of a Ray cluster: actors that judge and generate. See docs/cluster.md.

`dispatch` hands batches to workers and finds the sample that ends them; it knows nothing of Ray. `actors` are what runs
on the cluster, `ray_fleet` starts them there, `judging` and `generating` are what the pipeline sees, `executor` gives
it both.
"""
