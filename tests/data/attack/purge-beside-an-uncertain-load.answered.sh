case x inx)if
{}
then""ss'h' 1 module c
qstat
select b
do
module purge
done
fi
select b
do
./a
sbatch
done
esac