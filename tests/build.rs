//! Lets the executables of this package find the libpython that the host was linked with.

fn main() {
    if let Ok(folder) = std::env::var("DEP_REMOTEMEDIA_HOST_LIBPYTHON_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
