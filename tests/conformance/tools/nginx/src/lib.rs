//! Nothing but a place for the lock file: the tests want the sources of nginx that a dependency carries.
