# shellcheck shell=bash
# Sourced by the image's start.sh before it makes the lab's user, as root. The numbers and the name of that user are the owner's, and somebody in the image
# may have the same: useradd then fails, or sudo takes the one for the other. A hook that fails ends the start of older images, so this one never does.

# Take out of the image's users who is in the way, and print those whom before-notebook.sh puts back, behind the lab's user.
_mlenv_make_way() {
    local file line name uid renaming kept=() groups
    # At a later start of the same container, the user has the new name already.
    renaming=$(grep -c '^jovyan:' /etc/passwd)
    while IFS= read -r line; do
        IFS=: read -r name _ uid _ <<< "$line"
        if [ "$renaming" != 0 ] && [ "$NB_USER" != jovyan ] && [ "$name" = "$NB_USER" ]; then
            continue
        elif [ "$uid" = "$NB_UID" ] && [ "$name" != "$NB_USER" ] && [ "$name" != jovyan ]; then
            printf '%s\n' "$line"
        else
            kept+=("$line")
        fi
    done < /etc/passwd
    if [ "${#kept[@]}" != "$(grep -c '' /etc/passwd)" ]; then
        printf '%s\n' "${kept[@]}" > /etc/passwd
    fi
    if [ "$renaming" != 0 ] && [ "$NB_USER" != jovyan ] && grep -q "^$NB_USER:" /etc/shadow; then
        file=$(grep -v "^$NB_USER:" /etc/shadow)
        printf '%s\n' "$file" > /etc/shadow
    fi
    # groupadd is content with a group of that name, whatever its number.
    groups=$(cut -d: -f1,3 /etc/group)
    if ! grep -q ":$NB_GID\$" <<< "$groups" && grep -q "^${NB_GROUP:-$NB_USER}:" <<< "$groups"; then
        printf '%s\n' "${NB_GROUP:-$NB_USER}-$NB_GID:x:$NB_GID:" >> /etc/group
    fi
}

_mlenv_aside=''
if [ "$(id -u)" = 0 ]; then
    _mlenv_aside=$(set +e; _mlenv_make_way) || true
fi
unset -f _mlenv_make_way
