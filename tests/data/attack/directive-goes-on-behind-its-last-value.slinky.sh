#PBS -N a -l file=\

hostname
