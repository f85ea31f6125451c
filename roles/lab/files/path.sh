# shellcheck shell=sh
# Keep the programs of the lab's user before those of the image. A login shell of Debian forgets the PATH of its container, and conda's activation puts
# itself first: so login shells read this file, and so does conda's activation. _mlenv_own and _mlenv_image are PATHs, set above.
# What stands before the image's programs, such as those of a virtual environment, stays there.

_mlenv_home=${_mlenv_home:-} _mlenv_own=${_mlenv_own:-} _mlenv_image=${_mlenv_image:-}

_mlenv_order() {
    _mlenv_left=$PATH: _mlenv_front='' _mlenv_back='' _mlenv_kept=''
    while [ -n "$_mlenv_left" ]; do
        _mlenv_dir=${_mlenv_left%%:*} _mlenv_left=${_mlenv_left#*:}
        case :$_mlenv_env:$_mlenv_image: in
            *":$_mlenv_dir:"*) _mlenv_back=$_mlenv_dir:$_mlenv_left && break ;;
        esac
        _mlenv_front=$_mlenv_front$_mlenv_dir:
    done
    # Of the user's own directories, those that are before the image's already stay where they are.
    _mlenv_left=$_mlenv_own:
    while [ -n "$_mlenv_left" ]; do
        _mlenv_dir=${_mlenv_left%%:*} _mlenv_left=${_mlenv_left#*:}
        case :$_mlenv_front in
            *":$_mlenv_dir:"*) ;;
            *) _mlenv_kept=$_mlenv_kept$_mlenv_dir: ;;
        esac
    done
    _mlenv_front=$_mlenv_front$_mlenv_kept
    # What the shell forgot of the image's.
    _mlenv_left=$_mlenv_image:
    while [ -n "$_mlenv_left" ]; do
        _mlenv_dir=${_mlenv_left%%:*} _mlenv_left=${_mlenv_left#*:}
        case :$_mlenv_back in
            *":$_mlenv_dir:"*) ;;
            *) _mlenv_front=$_mlenv_front$_mlenv_dir: ;;
        esac
    done
    # The rest, without what stands in front.
    while [ -n "$_mlenv_back" ]; do
        _mlenv_dir=${_mlenv_back%%:*} _mlenv_back=${_mlenv_back#*:}
        case :$_mlenv_front in
            *":$_mlenv_dir:"*) ;;
            *) _mlenv_front=$_mlenv_front$_mlenv_dir: ;;
        esac
    done
    PATH=${_mlenv_front%:}
    export PATH
}

# Another user, such as root with sudo -i, has programs of its own.
if [ -n "$_mlenv_own" ] && [ "${HOME:-}" = "$_mlenv_home" ]; then
    _mlenv_env=${_mlenv_env:-}
    _mlenv_order
fi
unset -f _mlenv_order
unset _mlenv_own _mlenv_image _mlenv_home _mlenv_env _mlenv_dir _mlenv_left _mlenv_front _mlenv_back _mlenv_kept
