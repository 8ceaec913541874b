"""Tables: YAML files in, plain checked data out; the one door to whatever is written in YAML."""
