"""The documentation site: pages in Markdown, and the programs that write its reference."""
