"""One endpoint in the scoring process: its window, its candidates' answers, its rounds."""
