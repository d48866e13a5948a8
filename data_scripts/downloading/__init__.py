"""How data sets are downloaded: terms, files over HTTP, hashes, unpacking."""
