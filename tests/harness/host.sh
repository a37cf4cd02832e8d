#!/usr/bin/env bash
# The first process of a host, in namespaces of its own, see hosts.py: host.sh NAME FOLDER SHARED HIDDEN [PATH ...]
# FOLDER has `upper`, `work`, `root` and `home`, and `hosts` and `bashrc`, two files of the host. It sees SHARED, nothing
# of HIDDEN, and each PATH, which cannot be changed there.
set -euo pipefail
name=$1 folder=$2 shared=$3 hidden=$4
shift 4
root=$folder/root

hostname "$name"
# What the host writes lies in `upper`. Mounts of this machine are not seen in it: no process, device or file of /tmp.
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777,size=8g tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --bind "$folder/home" "$root/root"
if [ -n "$hidden" ]; then
  mkdir -p "$root$hidden"
  mount -t tmpfs -o mode=755 tmpfs "$root$hidden"
fi
mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"
for path; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
  mount -o remount,bind,ro "$root$path"
done
cp "$folder/hosts" "$root/etc/hosts"
echo "$name" >"$root/etc/hostname"
: >"$root/etc/resolv.conf"
cp "$folder/bashrc" "$root/root/.bashrc"

cd "$root"
mkdir -p .before
pivot_root . .before
cd /
umount -l /.before
mkdir -p /run/sshd
ssh-keygen -q -A
/usr/sbin/sshd -D -e -o PermitRootLogin=prohibit-password -o UsePAM=no 2>/var/log/sshd.log &
# Bash takes in what loses its parent.
while true; do wait || true; sleep 1; done
