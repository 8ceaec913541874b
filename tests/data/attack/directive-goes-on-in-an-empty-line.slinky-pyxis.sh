#PBS-lfile=\

