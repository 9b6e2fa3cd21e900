//! Where the files of the options are, and reading them. The only file I/O of this crate.

use crate::layers::{Error, Layers};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files that may hold options, weakest first. `variable` looks up the environment.
///
/// The user's folder follows the XDG base directory specification: a relative
/// `XDG_CONFIG_HOME` is passed over.
pub fn files(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user =
        absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let mut files = vec![PathBuf::from("/etc/gilscope/config.toml")];
    files.extend(user.map(|folder| folder.join("gilscope/config.toml")));
    files.push(PathBuf::from("./gilscope.toml"));
    files
}

/// The built-in defaults with the given files and the environment laid over them. A file that is not
/// there is passed over.
///
/// # Errors
/// For a file that cannot be read, and for whatever [`Layers`] refuses.
pub fn read(
    files: &[PathBuf],
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Layers, Error> {
    let mut layers = Layers::default();
    for path in files {
        if let Some(text) = read_file(path)? {
            layers.add_file(path, &text)?;
        }
    }
    layers.add_variables(variables.into_iter().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    }))?;
    Ok(layers)
}

fn read_file(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], user: Option<&str>) {
        let found = files(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        });
        let expected =
            ["/etc/gilscope/config.toml"].into_iter().chain(user).chain(["./gilscope.toml"]);
        assert_eq!(found, expected.map(PathBuf::from).collect::<Vec<_>>());
    }

    #[test]
    fn the_users_folder_follows_xdg() {
        check(&[("HOME", "/home/a")], Some("/home/a/.config/gilscope/config.toml"));
        check(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/c")], Some("/c/gilscope/config.toml"));
        check(
            &[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "rel")],
            Some("/home/a/.config/gilscope/config.toml"),
        );
        check(&[], None);
    }

    #[test]
    fn a_missing_file_is_passed_over_and_a_folder_is_an_error() {
        let layers = read(&[PathBuf::from("/nonexistent/gilscope.toml")], []).unwrap();
        assert!(layers.origin("cpu_hz").is_some());
        assert!(matches!(read(&[PathBuf::from("/")], []), Err(Error::Read { .. })));
    }
}
