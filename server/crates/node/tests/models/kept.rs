//! Values that are kept once: states share them, and compare and hash them by their place. There are few different ones
//! and very many states.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

static ALL: LazyLock<RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>> = LazyLock::new(RwLock::default);

/// One of its kind.
pub struct Kept<T>(Arc<T>);

impl<T: Eq + Hash + Send + Sync + 'static> Kept<T> {
    pub fn new(value: T) -> Self {
        let known = ALL.read().unwrap_or_else(PoisonError::into_inner);
        let of = |all: &HashMap<TypeId, Box<dyn Any + Send + Sync>>| {
            let set = all.get(&TypeId::of::<T>())?.downcast_ref::<HashSet<Arc<T>>>()?;
            set.get(&value).cloned()
        };
        if let Some(found) = of(&known) {
            return Self(found);
        }
        drop(known);
        let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
        let set = all.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(HashSet::<Arc<T>>::new()));
        let set = set.downcast_mut::<HashSet<Arc<T>>>().unwrap();
        let kept = set.get(&value).cloned().unwrap_or_else(|| Arc::new(value));
        set.insert(Arc::clone(&kept));
        Self(kept)
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Kept<T> {}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
