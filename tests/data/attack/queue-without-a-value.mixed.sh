#$-q
#$-l rt_F
E
()