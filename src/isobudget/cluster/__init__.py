"""The same pipeline on the machines of a Ray cluster: actors that judge and generate. See docs/cluster.md.

`dispatch` gives batches to workers and finds samples that crash them; it does not depend on Ray. `actors` run on the
cluster, and `ray_fleet` starts them. `judging` and `generating` are the pipeline's view of them; `executor` provides
both.
"""
