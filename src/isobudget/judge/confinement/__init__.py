"""Confinement of a sample: namespaces, Landlock, seccomp, memory limits."""
