#!/bin/bash
#$ -cwd -j y -o parent.log
#$ -N parent
cat > child.sh <<EOF
#!/bin/bash
#\$ -cwd
#\$ -j y -o child.log
#\$ -pe smp 2
echo "child with \$NSLOTS slots, name \$JOB_NAME"
EOF
id=$(qsub -terse -N kid child.sh)
rm child.sh
case $id in
  *[!0-9]* | '') echo "no number: $id" ;;
  *) echo "given in" ;;
esac
