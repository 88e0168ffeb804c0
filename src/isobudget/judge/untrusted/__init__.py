"""The untrusted side: the zygote and the process that runs the sample. It knows no tests."""
