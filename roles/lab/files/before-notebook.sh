# shellcheck shell=bash
# Sourced by the image's start.sh after all of the image's own hooks, as root or as the lab's user. What is above this text are the lab's settings.
# A hook that fails ends the start of older images, so this one works in subshells, and never fails.
_mlenv_home=${_mlenv_home:-} _mlenv_aside=${_mlenv_aside:-}
_mlenv_ways+=()
_mlenv_groups+=()

# As root: what the engine made on the way to a mount below the home is root's. No link is followed, and no mount of the host entered.
_mlenv_own_ways() {
    local way path part parts
    for way in "${_mlenv_ways[@]}"; do
        path=$_mlenv_home
        IFS=/ read -ra parts <<< "${way#"$_mlenv_home"/}"
        for part in "${parts[@]}"; do
            path=$path/$part
            if [ -L "$path" ] || [ ! -d "$path" ]; then
                break
            elif mountpoint -q -- "$path"; then
                break
            fi
            chown -h -- "$NB_UID:$NB_GID" "$path"
        done
    done
}

# As root: the owner's groups on the host, by number. A name that the image has for another number is told apart.
_mlenv_join_groups() {
    local entry gid name line lines=() number other
    mapfile -t lines < /etc/group
    for entry in "${_mlenv_groups[@]}"; do
        gid=${entry%%:*} name=${entry#*:}
        for line in "${lines[@]}"; do
            IFS=: read -r other _ number _ <<< "$line"
            if [ "$other" = "$name" ] && [ "$number" != "$gid" ]; then
                name=$name-$gid
                break
            fi
        done
        for number in "${!lines[@]}"; do
            [[ "${lines[number]}" != "$name:"*":$gid:"* ]] || unset "lines[number]"
        done
        lines=("$name:x:$gid:$NB_USER" "${lines[@]}")
    done
    printf '%s\n' "${lines[@]}" > /etc/group
}

# What is in the first directory and not in the second one. Nothing is replaced, and no mount entered.
_mlenv_copy_missing() {
    local entry name
    for entry in "$1"/*; do
        name=${entry##*/}
        if [ ! -e "$2/$name" ] && [ ! -L "$2/$name" ]; then
            cp -dR --preserve=mode,timestamps -- "$entry" "$2/$name"
        elif [ -d "$entry" ] && [ ! -L "$entry" ] && [ -d "$2/$name" ] && [ ! -L "$2/$name" ] && ! mountpoint -q -- "$2/$name"; then
            _mlenv_copy_missing "$entry" "$2/$name"
        fi
    done
}

# As the lab's user: the files of the image's home, where mounts made another, or hide it.
_mlenv_fill_home() {
    local from=/home/jovyan
    shopt -s dotglob nullglob
    if [ "$_mlenv_home" = "$from" ]; then
        mountpoint -q -- "$from" || return
        from=/etc/mlenv/skeleton
        [ -d "$from" ] || from=/etc/skel
    fi
    _mlenv_copy_missing "$from" "$_mlenv_home"
}

# As the lab's user: conda puts the image's programs first in each shell that it is activated in. It has a place for what is to be done then.
_mlenv_tell_conda() {
    local folder=$CONDA_PREFIX/etc/conda/activate.d text
    text=$(printf '_mlenv_env=%q\n. /etc/profile.d/zzz-mlenv.sh\n' "$CONDA_PREFIX/bin")
    if [ "$text" != "$(cat "$folder/zzz-mlenv.sh" 2>/dev/null)" ]; then
        mkdir -p -- "$folder" && printf '%s\n' "$text" > "$folder/zzz-mlenv.sh"
    fi
}

_mlenv_serve_user() {
    (_mlenv_fill_home)
    [ -z "$CONDA_PREFIX" ] || _mlenv_tell_conda
}

_mlenv_as_user() {
    local functions
    if [ "$(id -u)" = 0 ]; then
        functions=$(declare -p _mlenv_home; declare -f _mlenv_copy_missing _mlenv_fill_home _mlenv_tell_conda _mlenv_serve_user)
        setpriv --reuid "$NB_UID" --regid "$NB_GID" --init-groups -- bash -c "$functions"$'\n_mlenv_serve_user'
    else
        _mlenv_serve_user
    fi
}

_mlenv_prepare() {
    local line
    if [ "$(id -u)" = 0 ]; then
        while IFS= read -r line; do
            [ -z "$line" ] || grep -q "^${line%%:*}:" /etc/passwd || printf '%s\n' "$line" >> /etc/passwd
        done <<< "$_mlenv_aside"
        _mlenv_join_groups
        _mlenv_own_ways
    fi
    _mlenv_as_user
}

(set +e; _mlenv_prepare) >/dev/null || true
_mlenv_env=${CONDA_PREFIX:+$CONDA_PREFIX/bin}
. /etc/profile.d/zzz-mlenv.sh || true
unset -f _mlenv_own_ways _mlenv_join_groups _mlenv_copy_missing _mlenv_fill_home _mlenv_tell_conda _mlenv_serve_user _mlenv_as_user _mlenv_prepare
unset _mlenv_ways _mlenv_groups _mlenv_aside
