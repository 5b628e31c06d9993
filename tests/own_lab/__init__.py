"""Parts of one's own, a file each, that no file of the package mentions."""
