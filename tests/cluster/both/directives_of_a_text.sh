#!/bin/bash
#$ -cwd
#$ -N parent
#$ -j y -o parent.log
cat > child.sh <<'EOF'
#!/bin/bash
#$ -cwd
#$ -N child
#$ -j y -o child.log
echo "$JOB_NAME is the child"
EOF
echo "$JOB_NAME is the parent"
qsub child.sh > /dev/null
rm child.sh
