"""The walls around a sample: namespaces, Landlock, seccomp, memory."""
