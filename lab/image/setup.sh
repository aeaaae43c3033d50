#!/bin/sh
# Runs once inside the fresh base system: users, units, and what a test host does not need.
set -eu

useradd --create-home --shell /bin/bash deploy
useradd --system --home-dir /var/lib/app --shell /usr/sbin/nologin app
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
# A deploy account like those on real fleets: no password, sudo without one.
usermod --password '*' deploy
echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
chmod 440 /etc/sudoers.d/deploy

rm -f /etc/ssh/ssh_host_* /etc/nginx/sites-enabled/default /etc/resolv.conf
ln -s ../sites-available/lab /etc/nginx/sites-enabled/lab
# The two logs and the folder exist before the first start, as after an installation.
install -d -m 755 -o root -g adm /var/log/nginx
truncate --size=16M /srv/big.bin

ln -s ../app.service /etc/systemd/system/multi-user.target.wants/app.service
systemctl mask --quiet getty.target console-getty.service getty-static.service systemd-firstboot.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer systemd-pstore.service systemd-update-utmp.service
# For tests that start them: on these hosts the web server is nginx.
systemctl disable --quiet apache2 apache-htcacheclean haproxy php8.2-fpm redis-server
# Most tests are on hosts without it, as most hosts are; one brings it back.
dpkg-divert --quiet --local --rename --divert /usr/sbin/needrestart.aside --add /usr/sbin/needrestart
mkdir -p /var/log/journal
nginx -t
python3 -m py_compile /opt/app/app.py
sha256sum /opt/app/app.py >/dev/null
rm -rf /opt/app/__pycache__ /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc /usr/share/man
