#!/bin/bash
#$ -cwd -j y -o parent.log
for size in 10 20; do
  qsub -N "size$size" <<EOF > /dev/null
#!/bin/bash
#\$ -cwd
#\$ -j y -o size.$size.log
echo "size $size, \$JOB_NAME, \${NSLOTS} slot"
EOF
done
echo "two given in"
