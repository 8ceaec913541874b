#$-
\c
for b
do
module g
done