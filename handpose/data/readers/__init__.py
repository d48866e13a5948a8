"""One module a published or exported form of labels."""
