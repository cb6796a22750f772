//! The wasm runtime on real components: the guests of this repository, and hand-made ones that are wrong.

#[cfg(test)]
mod biquad;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod containment;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod effects;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod files;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod gain;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod payloads;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod probing;
#[cfg(test)]
mod python_gain;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod returned;
#[cfg(test)]
mod steady_state;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod watch;
mod wit;
