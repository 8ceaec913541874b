#!/bin/bash
#$ -cwd -j y -o parent.log
cat > child.sh <<EOF
#!/bin/bash
#\$ -cwd
#\$ -j y
#\$ -o child.log
echo "child"
exit 5
EOF
qsub -sync y -N kid child.sh > /dev/null 2>&1
code=$?
rm child.sh
echo "the child ended with $code"
