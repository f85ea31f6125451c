#!/usr/bin/env bash
# start.sh [COMMAND...]: make the lab's user what the environment asks for, then run COMMAND as that user.
#
# As root: rename and renumber the user, prepare the home, own what is to be owned, grant sudo, become the user.
# As anybody else: say what cannot be done, and go on as that user.
set -e

# shellcheck source=roles/image/files/context/_docker_stacks_log.sh
source /usr/local/bin/_docker_stacks_log.sh

# Whether a switch is on. Docker Stacks knows "yes" and "1"; people write "true" as well.
on() { [[ "${1,,}" =~ ^(yes|true|1)$ ]]; }

# Keep the listed variables from the command and everything that it starts.
unset_variables() {
    local name
    for name in ${JUPYTER_ENV_VARS_TO_UNSET//,/ }; do
        _log_info "unsetting $name"
        unset "$name"
    done
    unset JUPYTER_ENV_VARS_TO_UNSET
}

# ---------------------------------------------------------------------------------------------------------------------
# Steps of a start as root
# ---------------------------------------------------------------------------------------------------------------------
# NB_USER, NB_UID, NB_GID, NB_GROUP: the user jovyan, under the name and the numbers that are wanted.
set_up_user() {
    if [ "$NB_USER" = root ]; then
        [ "$NB_UID:$NB_GID" = 0:0 ] || _log_fatal "NB_USER=root needs NB_UID=0 and NB_GID=0 as well."
        sed --in-place 's,^\(root:.*\):/root:,\1:/home/root:,' /etc/passwd
        return
    fi
    if ! id "$NB_USER" &>/dev/null; then
        _log_info "renaming user jovyan to $NB_USER"
        usermod --home "/home/$NB_USER" --login "$NB_USER" jovyan
    fi
    if [ "$(id -u "$NB_USER"):$(id -g "$NB_USER")" != "$NB_UID:$NB_GID" ]; then
        _log_info "giving $NB_USER uid $NB_UID and gid $NB_GID"
        getent group "$NB_GID" >/dev/null || groupadd --force --non-unique --gid "$NB_GID" "${NB_GROUP:-$NB_USER}"
        # A new user instead of usermod --uid, which would re-own all of the home, the host's files in it included.
        # Group users stays: what the image gave to it must remain writable.
        userdel "$NB_USER" 2>/dev/null
        useradd --no-log-init --home-dir "/home/$NB_USER" --shell /bin/bash --non-unique --uid "$NB_UID" --gid "$NB_GID" \
            --groups 100 "$NB_USER" 2>/dev/null
    fi
}

# The home follows the name. What is mounted below the old home stays where it is, and is worth a warning.
set_up_home() {
    local home=/home/$NB_USER mounted file
    export HOME=$home
    [ "$NB_USER" != jovyan ] || return 0
    mounted=$(awk '$2 ~ "^/home/jovyan(/|$)" { print $2 }' /proc/mounts)
    if [ -n "$mounted" ]; then
        _log_warn "$NB_USER works on a copy of what is mounted at ${mounted//$'\n'/ }: mount it below $home instead."
    fi
    if [ ! -e "$home" ]; then
        _log_info "copying /home/jovyan to $home"
        if cp --archive /home/jovyan "$home"; then
            chown --recursive --no-dereference "$NB_UID:$NB_GID" "$home"
        else
            rm -rf "$home"
            ln -s /home/jovyan "$home"
        fi
    elif [ ! -L "$home" ]; then
        # It exists because something is mounted in it: the shell's own files are missing, and so is its owner.
        for file in /home/jovyan/.[!.]*; do
            [ -e "$home/${file##*/}" ] || [ ! -f "$file" ] || cp --preserve=mode,timestamps "$file" "$home/" || true
        done
        mountpoint --quiet "$home" || chown "$NB_UID:$NB_GID" "$home" "$home"/.[!.]* 2>/dev/null || true
    fi
    if [[ "$PWD/" == /home/jovyan/* ]]; then
        cd "$home${PWD#/home/jovyan}" 2>/dev/null || cd "$home"
    fi
}

# CHOWN_HOME, CHOWN_EXTRA and their options: a failure ends the start, for the user could not work.
own_directories() {
    local directory
    if on "$CHOWN_HOME"; then
        _log_info "owning $HOME (${CHOWN_HOME_OPTS:-not recursive})"
        # shellcheck disable=SC2086 # several options in one variable
        chown $CHOWN_HOME_OPTS "$NB_UID:$NB_GID" "$HOME"
    fi
    for directory in ${CHOWN_EXTRA//,/ }; do
        _log_info "owning $directory (${CHOWN_EXTRA_OPTS:-not recursive})"
        # shellcheck disable=SC2086
        chown $CHOWN_EXTRA_OPTS "$NB_UID:$NB_GID" "$directory"
    done
}

grant_sudo() {
    on "$GRANT_SUDO" || return 0
    _log_info "granting sudo to $NB_USER"
    echo "$NB_USER ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/notebook
}

# ---------------------------------------------------------------------------------------------------------------------
# Steps of a start as anybody else
# ---------------------------------------------------------------------------------------------------------------------
say_what_needs_root() {
    if [[ ! "$NB_USER" =~ ^(jovyan|$(id -un 2>/dev/null))$ ]]; then
        _log_warn "NB_USER=$NB_USER needs a start as root."
    fi
    if [[ ! "$NB_UID:$NB_GID" =~ ^(1000|$(id -u)):(100|$(id -g))$ ]]; then
        _log_warn "NB_UID=$NB_UID and NB_GID=$NB_GID need a start as root."
    fi
    if on "$GRANT_SUDO"; then
        _log_warn "GRANT_SUDO needs a start as root."
    fi
    if on "$CHOWN_HOME" || [ -n "$CHOWN_EXTRA" ]; then
        _log_warn "CHOWN_HOME and CHOWN_EXTRA need a start as root."
    fi
    if [ ! -w "$HOME" ]; then
        _log_warn "$HOME is not writable: give group 100 as well (--group-add users)."
    fi
}

# A uid without a name breaks ssh, git and getpass. It gets the user's name, and the image's own user another.
name_this_uid() {
    local lines
    if id --user --name &>/dev/null; then
        return
    elif [ -w /etc/passwd ]; then
        _log_info "$NB_USER is uid $(id -u) from now on"
        lines=$(sed 's/^jovyan:/image-user:/' /etc/passwd)
        printf '%s\n' "$lines" "$NB_USER:x:$(id -u):$(id -g)::/home/jovyan:/bin/bash" > /etc/passwd
    else
        _log_warn "uid $(id -u) has no name, and /etc/passwd is not writable: give group 0 to this user."
    fi
}

# ---------------------------------------------------------------------------------------------------------------------
if [ $# -eq 0 ]; then
    set -- bash
fi
if [ "$_START_SH_EXECUTED" = 1 ]; then
    _log_warn "start.sh is the entrypoint already: leave it out of the command."
    exec "$@"
fi
export _START_SH_EXECUTED=1

# shellcheck source=roles/image/files/context/run-hooks.sh
source /usr/local/bin/run-hooks.sh /usr/local/bin/start-notebook.d

if [ "$(id -u)" = 0 ]; then
    set_up_user
    set_up_home
    own_directories
    grant_sudo
    # shellcheck source=roles/image/files/context/run-hooks.sh
    source /usr/local/bin/run-hooks.sh /usr/local/bin/before-notebook.d
    unset_variables
    export USER=$NB_USER LOGNAME=$NB_USER
    _log_info "running as $NB_USER: $1"
    # Not sudo: that would stay between tini and the command, and drop LD_LIBRARY_PATH and the like.
    exec setpriv --reuid "$NB_UID" --regid "$NB_GID" --init-groups -- "$@"
fi

name_this_uid
say_what_needs_root
# shellcheck source=roles/image/files/context/run-hooks.sh
source /usr/local/bin/run-hooks.sh /usr/local/bin/before-notebook.d
unset_variables
_log_info "running as $(id -un 2>/dev/null || id -u): $1"
exec "$@"
