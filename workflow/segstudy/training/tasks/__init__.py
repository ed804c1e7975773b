"""What a training learns: masks, masks with pseudo-labels or a mean teacher, images without noise."""
