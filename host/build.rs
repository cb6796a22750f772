//! Lets the binary find the libpython it was linked with, and passes the folder on to the tests and benches.

fn main() {
    if let Ok(folder) = std::env::var("DEP_REMOTEMEDIA_PYTHON_LIBPYTHON_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
        println!("cargo::metadata=libpython_dir={folder}");
    }
}
