#!/bin/bash
#$ -cwd -j y -o parent.log
cat > part.sh <<EOF
#!/bin/bash
#\$ -cwd -j y -o part.\$TASK_ID.log
#\$ -N part
sleep 1
echo "\$SGE_TASK_ID" > part.\$SGE_TASK_ID
echo "part \$SGE_TASK_ID"
EOF
parts=$(qsub -terse -t 1-3 part.sh)
parts=${parts%%.*}
qsub -terse -hold_jid $parts -N rest <<EOF > /dev/null
#\$ -S /bin/bash
#\$ -cwd
#\$ -j y
#\$ -o rest.log
cat part.[0-9]
EOF
rm part.sh
echo "an array and what waits for it"
