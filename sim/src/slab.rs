/// Things under short numbers that are used again; the lowest free number is not promised.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// Holds nothing.
    pub(crate) fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    /// Keeps `item` and says under which number.
    pub(crate) fn insert(&mut self, item: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.items[number as usize] = Some(item);
            return number;
        }
        self.items.push(Some(item));
        u32::try_from(self.items.len() - 1).expect("fewer than 2^32 packets are under way")
    }

    /// What is kept under `number`, which must be in use.
    pub(crate) fn get(&self, number: u32) -> &T {
        self.items[number as usize].as_ref().expect("the number is in use")
    }

    /// What is kept under `number`, to change.
    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        self.items[number as usize].as_mut().expect("the number is in use")
    }

    /// Takes it out, and frees the number.
    pub(crate) fn take(&mut self, number: u32) -> T {
        self.free.push(number);
        self.items[number as usize].take().expect("the number is in use")
    }

    /// How many things it holds.
    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_number_is_used_again() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert("a"), slab.insert("b"));
        assert_eq!((slab.take(a), slab.len()), ("a", 1));
        let c = slab.insert("c");
        assert_eq!((c, *slab.get(b), *slab.get(c), slab.len()), (a, "b", "c", 2));
    }
}
