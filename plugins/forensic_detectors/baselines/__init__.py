"""Published classifiers, a record each: what the network sees, how it is built, whose weights it has."""
