"""Choose without tests on a run or on sample files, and measure it."""
