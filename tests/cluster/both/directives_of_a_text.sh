#!/bin/bash
#$ -cwd
#$ -N parent
#$ -j y -o parent.log
cat > child.sh <<'EOF'
#!/bin/bash
#$ -cwd
#$ -N child
#$ -o child.log
echo "$JOB_NAME is the child"
EOF
echo "$JOB_NAME is the parent"
qsub -j y child.sh > /dev/null
rm child.sh
