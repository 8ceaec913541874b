#$-
coproc N