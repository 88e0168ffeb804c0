"""The same pipeline on the machines of a Ray cluster: actors that judge and generate. See docs/cluster.md.

`dispatch` gives batches to workers and finds samples that crash workers; it does not depend on Ray. The classes of
`actors` run on the cluster, and `ray_fleet` starts them. `judging` and `generating` are the pipeline's view of the
actors. `executor` provides the judge and the models of a cluster.
"""
