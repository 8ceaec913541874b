"""Topics: what the program knows, each in a folder of the name that its rules have under rules/."""
