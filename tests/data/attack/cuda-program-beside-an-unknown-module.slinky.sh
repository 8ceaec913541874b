nvprof
module c