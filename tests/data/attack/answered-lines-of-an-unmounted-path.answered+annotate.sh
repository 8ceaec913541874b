s
#$-
module openmpi