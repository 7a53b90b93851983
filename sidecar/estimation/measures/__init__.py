"""Label-free measures of a candidate on the window, one file each; `table` writes them out."""
