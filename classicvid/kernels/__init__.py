"""Arrays that a front has checked and allocated go in; numba kernels write results into them."""
