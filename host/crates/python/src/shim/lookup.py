"""Finds node classes by name. A manifest's own folder comes first, and two folders do not see each other's modules.

Owns sys.path and the entries of sys.modules that come from manifests' folders. It creates no node.
"""

import difflib
import importlib
import inspect
import os
import sys
import threading


class NotFound(Exception):
    """A module that cannot be imported or a class that is not there; `__cause__` is why."""

    remotemedia_plain = True


_lock = threading.RLock()
_owner = {}  # name in sys.modules -> the manifest's folder it was imported from
_shelf = {}  # folder -> {name: module}: set aside while another folder has a module of that name


def settle(site_packages, module_paths, owns_interpreter):
    """Once, after the interpreter started: checks that the virtual environment is in use, adds the host's own
    packages behind it, and keeps what nodes print away from the host's standard output."""
    if owns_interpreter:
        sys.stdout = sys.stderr
    if site_packages is not None:
        prefix = os.path.dirname(os.path.dirname(os.path.dirname(site_packages)))
        sys.prefix = sys.exec_prefix = prefix
        if site_packages not in sys.path:
            import site

            site.addsitedir(site_packages)
    for path in module_paths:
        if path not in sys.path:
            sys.path.append(path)


def set_environment(variables):
    """What the host hands on: for nodes, and for programs that they start."""
    os.environ.update(variables)


def _holds(folder, name):
    top = os.path.join(folder, name.partition(".")[0])
    return os.path.isfile(top + ".py") or os.path.isdir(top)


def _enter(folder):
    """Makes `folder` the first place to look in, with its own modules under their names."""
    for name, owner in list(_owner.items()):
        if owner != folder and _holds(folder, name):
            _shelf.setdefault(owner, {})[name] = sys.modules.pop(name, None)
            del _owner[name]
    for name, module in _shelf.pop(folder, {}).items():
        if module is not None and name not in sys.modules:
            sys.modules[name] = module
            _owner[name] = folder
    if sys.path[0] != folder:
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    importlib.invalidate_caches()


def _import(name, folder):
    if folder is None:
        return importlib.import_module(name)
    _enter(folder)
    before = set(sys.modules)
    try:
        module = importlib.import_module(name)
    finally:
        for new in set(sys.modules) - before:
            origin = getattr(sys.modules[new], "__file__", None) or ""
            if origin.startswith(folder + os.sep):
                _owner[new] = folder
    origin = getattr(module, "__file__", None) or folder + os.sep
    if _holds(folder, name) and not origin.startswith(folder + os.sep):
        raise ImportError(
            f"the name `{name}` is taken by {origin}, which was imported first: rename the module in {folder}"
        )
    return module


def _how_to_install(name):
    return f"{sys.executable} -m pip install {name}"


def _places(folder):
    places = [folder] if folder else []
    places += [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    places += [path for path in sys.path if os.path.isdir(os.path.join(path, "remotemedia"))]
    return ", ".join(dict.fromkeys(places))


def is_node_class(value):
    return inspect.isclass(value) and callable(getattr(value, "process", None))


def find_class(module_name, class_name, folder):
    """The class `class_name` (dots reach nested classes) of `module_name`, looked up in `folder` first."""
    with _lock:
        try:
            module = _import(module_name, folder)
        except BaseException as error:  # a module may even call sys.exit()
            message = f"cannot import module `{module_name}` for class `{class_name}`: {type(error).__name__}: {error}"
            if isinstance(error, ModuleNotFoundError):
                message += f" (looked in {_places(folder)}"
                if error.name and error.name.partition(".")[0] != module_name.partition(".")[0]:
                    message += f"; if it is a package: {_how_to_install(error.name)}"
                message += ")"
            raise NotFound(message) from error
    value = module
    for part in class_name.split("."):
        value = getattr(value, part, None)
    if is_node_class(value):
        return value
    where = getattr(module, "__file__", None) or module_name
    if inspect.isclass(value):
        raise NotFound(f"class `{class_name}` of {where} is not a node: it has no method `process`")
    classes = [name for name, member in vars(module).items() if is_node_class(member)]
    near = difflib.get_close_matches(class_name, classes, n=1) or classes[:1]
    message = f"module `{module_name}` ({where}) has no class `{class_name}`"
    raise NotFound(message + (f"; did you mean `{module_name}:{near[0]}`?" if near else ""))


def find_builtin(class_name):
    """The class of that name in `remotemedia.nodes`, or None."""
    try:
        # The package imports a node's module when its name is first used.
        value = getattr(_import("remotemedia.nodes", None), class_name, None)
    except BaseException as error:
        message = f"cannot import `{class_name}` of `remotemedia.nodes`: {type(error).__name__}: {error}"
        raise NotFound(message) from error
    return value if is_node_class(value) else None
