# a job without a first line
#$ -cwd
#$ -j y -o plain.log
for n in 1 2 3; do
  echo "line $n"
done
