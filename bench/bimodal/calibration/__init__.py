"""Does the evidence engine keep its promises? Thousands of comparisons whose truth is known. `make calibrate`."""
