"""The untrusted side: the zygote and the process that runs the sample. It knows only tests that share this process."""
