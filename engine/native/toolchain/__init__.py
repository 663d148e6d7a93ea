"""From C to calls: the compiler and its target, cached libraries, and the threads that run them."""
